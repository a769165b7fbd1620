import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** @type {import('next').NextConfig} */
export default {
  output: 'standalone',
  // The workspace's root: dependencies lie in its node_modules, and a trace
  // that starts at apps/web would leave them out of the standalone folder.
  outputFileTracingRoot: dirname(dirname(here)),
  // There are no images to scale, and a server compiles nothing: without these
  // the standalone folder has half its size.
  images: { unoptimized: true },
  outputFileTracingExcludes: {
    '*': [
      '**/node_modules/.pnpm/@img+*/**',
      '**/node_modules/.pnpm/sharp@*/**',
      '**/node_modules/.pnpm/typescript@*/**',
      '**/node_modules/sharp',
      '**/node_modules/typescript',
    ],
  },
  poweredByHeader: false,
};
