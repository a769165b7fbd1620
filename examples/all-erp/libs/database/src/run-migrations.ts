import { loadConfig, run, url } from '@all-erp/common';
import { Database } from './database';
import { migrate, type Migration } from './migrate';

export const databaseUrl = url('postgres', 'postgresql');

/** The whole of a service's migration job. */
export function runMigrations(
  service: string,
  migrations: readonly Migration[],
): void {
  run(service, async (logger) => {
    const { DATABASE_URL } = loadConfig({ DATABASE_URL: databaseUrl });
    const database = new Database(DATABASE_URL, logger);
    const applied = await migrate(database, service, migrations);
    logger.log('Migrated', { applied });
    await database.onApplicationShutdown();
  });
}
