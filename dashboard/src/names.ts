// Names where there is little room: cut, but still told apart. Pure; called for the chart's axis and the ends of its curves.

export function cut(name: string, most: number): string {
  return name.length > most ? `${name.slice(0, most - 1).trimEnd()}…` : name;
}

/** Each name in at most so many characters: where one is too long, the words that all begin with are left out first. */
export function tellApart(names: readonly string[], most: number): string[] {
  const [first = '', ...others] = names;
  if (others.length === 0 || names.every((name) => name.length <= most)) return names.map((name) => cut(name, most));
  let same = 0;
  while (same < first.length && others.every((name) => name[same] === first[same])) same++;
  // Whole words only; a name is never left out as a whole.
  const shared = first.slice(0, same).lastIndexOf(' ') + 1;
  return names.map((name) => cut(shared > 0 ? `…${name.slice(shared)}` : name, most));
}
