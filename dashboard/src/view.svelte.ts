// What the operator chose: facility, trend and theme. Kept in the address (theme in local storage), so that a link or a
// reload shows the same picture. Created once by main.ts.
import { readAddress, writeAddress, type Place } from './address.ts';

export type Theme = 'system' | 'light' | 'dark';

export class View {
  place: Place = $state.raw(readAddress(location.search));
  theme: Theme = $state.raw('system');
  #printing = $state.raw(false);
  /** What is painted: paper is light whatever the screen is, and a canvas must be drawn anew for it. */
  look: Theme = $derived(this.#printing ? 'light' : this.theme);

  constructor() {
    const kept = localStorage.getItem('theme');
    if (kept === 'light' || kept === 'dark') this.theme = kept;
    this.#paint();
    addEventListener('popstate', () => (this.place = readAddress(location.search)));
    for (const event of ['beforeprint', 'afterprint'])
      addEventListener(event, () => {
        this.#printing = event === 'beforeprint';
        this.#paint();
      });
  }

  /** Changes part of the place. Another facility is a step in the browser's history; the rest replaces it. */
  go(change: Partial<Place>): void {
    const moved =
      change.facility !== undefined && this.place.facility !== '' && change.facility !== this.place.facility;
    this.place = { ...this.place, ...(moved ? { metric: '', assets: [] } : {}), ...change };
    const address = location.pathname + writeAddress(this.place);
    if (moved) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    if (theme === 'system') localStorage.removeItem('theme');
    else localStorage.setItem('theme', theme);
    this.#paint();
  }

  #paint(): void {
    if (this.look === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.look;
  }
}
