export * from './assistant';
export * from './health';
export * from './invoices';
export * from './users';
export * from './vectors';
