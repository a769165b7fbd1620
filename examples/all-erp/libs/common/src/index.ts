export * from './config';
export * from './errors';
export * from './fields';
export * from './health';
export * from './input';
export * from './json-logger';
export * from './service';
