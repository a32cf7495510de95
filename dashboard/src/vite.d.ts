// Ambient types of what Vite resolves (style sheets, import.meta.env), for the compiler alone.
/// <reference types="vite/client" />
/// <reference types="svelte" />
