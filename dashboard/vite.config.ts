// How Vite builds the page; read by dashboard/build.ts and by `npm run dev`, which hands /api and /health to a running gateway
// (PENSTOCK_API, default http://127.0.0.1:8080). No inline script or style leaves here: the server's CSP forbids them.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const gateway = process.env.PENSTOCK_API ?? 'http://127.0.0.1:8080';
const browsers = ['chrome123', 'firefox120', 'safari17.5'];

export default defineConfig({
  root: dirname(fileURLToPath(import.meta.url)),
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    manifest: 'manifest.json',
    target: browsers,
    cssTarget: browsers,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': gateway, '/health': gateway } },
});
