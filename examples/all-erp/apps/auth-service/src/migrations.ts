import type { Migration } from '@all-erp/database';

/** Only ever append: what was released has been applied somewhere. */
export const migrations: readonly Migration[] = [
  {
    id: '001-users',
    sql: `
      CREATE TABLE users (
        id uuid PRIMARY KEY,
        email text NOT NULL UNIQUE,
        password_hash text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`,
  },
];
