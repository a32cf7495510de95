// Panning and zooming of the chart by wheel, by Shift and drag, and by one or two fingers. Zooming by a plain drag is
// uPlot's own. Attached by Chart.svelte to the chart's plotting area.
import { pan, zoom, type Frame } from './frame.ts';

export interface Moves {
  /** What is shown now. */
  frame(): Frame;
  show(frame: Frame): void;
}

/** Pixels. */
const tremble = 6;

/** Attaches; the returned function detaches. */
export function gestures(over: HTMLElement, { frame, show }: Moves): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const shareAt = (x: number): number => {
    const { left, width } = over.getBoundingClientRect();
    return width > 0 ? Math.min(1, Math.max(0, (x - left) / width)) : 0.5;
  };

  over.addEventListener(
    'wheel',
    (event) => {
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        show(zoom(frame(), Math.exp(Math.max(-1, Math.min(1, event.deltaY / 250))), shareAt(event.clientX)));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        show(pan(frame(), sideways / Math.max(200, over.clientWidth)));
      } else return; // The page scrolls.
      event.preventDefault();
    },
    { signal, passive: false },
  );

  // Pointers that pan: fingers, and a mouse with Shift. Each with where it is.
  const held = new Map<number, number>();
  let began: { frame: Frame; at: number; spread: number } | undefined;
  /** A finger that rests trembles: a tap is no pan. */
  let moving = false;
  const begin = (): void => {
    const places = [...held.values()];
    const at = places.reduce((sum, x) => sum + x, 0) / Math.max(1, places.length);
    const spread = places.length > 1 ? Math.max(20, Math.abs((places[0] ?? 0) - (places[1] ?? 0))) : 0;
    began = places.length > 0 ? { frame: frame(), at, spread } : undefined;
  };
  over.addEventListener(
    'pointerdown',
    (event) => {
      if (event.pointerType === 'mouse' && !event.shiftKey) return;
      over.setPointerCapture(event.pointerId);
      if (held.size === 0) moving = false;
      held.set(event.pointerId, event.clientX);
      begin();
    },
    { signal },
  );
  over.addEventListener(
    'pointermove',
    (event) => {
      if (!held.has(event.pointerId) || !began) return;
      held.set(event.pointerId, event.clientX);
      const places = [...held.values()];
      const at = places.reduce((sum, x) => sum + x, 0) / places.length;
      moving ||= places.length > 1 || Math.abs(at - began.at) > tremble;
      if (!moving) return;
      const moved = pan(began.frame, (began.at - at) / Math.max(1, over.clientWidth));
      const spread = Math.max(20, Math.abs((places[0] ?? 0) - (places[1] ?? 0)));
      show(places.length > 1 && began.spread > 0 ? zoom(moved, began.spread / spread, shareAt(at)) : moved);
    },
    { signal },
  );
  for (const ended of ['pointerup', 'pointercancel'] as const)
    over.addEventListener(
      ended,
      (event) => {
        if (held.delete(event.pointerId)) begin();
      },
      { signal },
    );
  return () => stop.abort();
}
