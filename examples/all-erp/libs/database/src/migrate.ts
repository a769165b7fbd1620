import type { Database } from './database';

export interface Migration {
  id: string;
  sql: string;
}

/** Any constant does, as long as all services and replicas use the same. */
const LOCK_KEY = 4_115_072;

/**
 * Applies the migrations that the database does not have yet, all or none, and
 * returns their ids. Runs that start at the same time wait for each other.
 */
export async function migrate(
  database: Pick<Database, 'transaction'>,
  service: string,
  migrations: readonly Migration[],
): Promise<string[]> {
  return database.transaction(async (client) => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
    // Services may share one database: each one has its own list.
    await client.query(`
      CREATE TABLE IF NOT EXISTS schema_migrations (
        service text NOT NULL,
        id text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (service, id)
      )`);
    const { rows } = await client.query<{ id: string }>(
      'SELECT id FROM schema_migrations WHERE service = $1',
      [service],
    );
    const applied = new Set(rows.map(({ id }) => id));
    const pending = migrations.filter(({ id }) => !applied.has(id));
    for (const { id, sql } of pending) {
      await client.query(sql);
      await client.query(
        'INSERT INTO schema_migrations (service, id) VALUES ($1, $2)',
        [service, id],
      );
    }
    return pending.map(({ id }) => id);
  });
}
