// The page's entry: the live plant, the operator's view, and the one component that shows both.
import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { Plant } from './plant.svelte.ts';
import { View } from './view.svelte.ts';

const target = document.getElementById('app');
if (target) {
  const plant = new Plant();
  void plant.start(new AbortController().signal);
  mount(App, { target, props: { plant, view: new View() } });
}
