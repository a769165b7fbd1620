import { defineConfig } from 'vitest/config';

// The libraries' `exports` answer this condition with their TypeScript source,
// so that tests need no build before them.
const conditions = ['@all-erp/source', 'node'];

export default defineConfig({
  // NestJS finds constructor arguments by the metadata that tsc emits; the
  // transformer of the tests has to emit it too.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  ssr: { resolve: { conditions } },
  test: { include: ['src/**/*.spec.ts'] },
});
