import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { migrate } from './migrate';

/** Answers only what migrate() asks, and keeps the statements. */
class FakeDatabase {
  readonly statements: string[] = [];
  readonly applied: string[] = [];

  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const query = (sql: string, [, id]: string[] = []) => {
      this.statements.push(sql);
      if (sql.startsWith('INSERT INTO schema_migrations') && id) {
        this.applied.push(id);
      }
      return Promise.resolve({ rows: this.applied.map((id) => ({ id })) });
    };
    return work({ query } as unknown as PoolClient);
  }
}

const migrations = [
  { id: '001-users', sql: 'CREATE TABLE users ()' },
  { id: '002-index', sql: 'CREATE INDEX users_email ON users (email)' },
];

describe('migrate', () => {
  it('takes the lock first and applies migrations in order', async () => {
    const database = new FakeDatabase();
    expect(await migrate(database, 'auth-service', migrations)).toEqual([
      '001-users',
      '002-index',
    ]);
    expect(database.statements[0]).toContain('pg_advisory_xact_lock');
    expect(
      database.statements.filter((sql) =>
        migrations.some((migration) => migration.sql === sql),
      ),
    ).toEqual(migrations.map(({ sql }) => sql));
  });

  it('applies a migration only once', async () => {
    const database = new FakeDatabase();
    await migrate(database, 'auth-service', migrations.slice(0, 1));
    expect(await migrate(database, 'auth-service', migrations)).toEqual([
      '002-index',
    ]);
    expect(await migrate(database, 'auth-service', migrations)).toEqual([]);
  });
});
