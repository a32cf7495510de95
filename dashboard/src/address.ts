// The page's address is its state: facility, metric, hours, bucket, assets. Pure; view.svelte.ts keeps it in step.

export const hourChoices = [1, 12, 24, 48, 168, 720] as const;
export const bucketChoices = [0, 1, 5, 15, 60] as const;
/** Hours over which the gateway gives key figures at most. */
export const figureHours = 48;

export interface Place {
  facility: string;
  metric: string;
  hours: (typeof hourChoices)[number];
  /** Minutes; 0 leaves it to the page. */
  bucket: (typeof bucketChoices)[number];
  assets: string[];
}
/** A span in words: `12 h`, `7 d`. */
export function sayHours(hours: number): string {
  return hours > figureHours ? `${hours / 24} d` : `${hours} h`;
}

/** Reads an address; what makes no sense becomes the default. */
export function readAddress(search: string): Place {
  const given = new URLSearchParams(search);
  return {
    facility: given.get('f') ?? '',
    metric: given.get('m') ?? '',
    hours: hourChoices.find((hours) => String(hours) === given.get('h')) ?? 12,
    bucket: bucketChoices.find((minutes) => String(minutes) === given.get('b')) ?? 0,
    assets: given.getAll('a').filter(Boolean).slice(0, 16),
  };
}

/** The address of a place: only what differs from the default. */
export function writeAddress(place: Place): string {
  const search = new URLSearchParams();
  if (place.facility) search.set('f', place.facility);
  if (place.metric) search.set('m', place.metric);
  if (place.hours !== 12) search.set('h', String(place.hours));
  if (place.bucket !== 0) search.set('b', String(place.bucket));
  for (const asset of place.assets) search.append('a', asset);
  const text = search.toString();
  return text ? `?${text}` : '';
}
