import type { HealthCheck, Log } from '@all-erp/common';
import { Pool, type PoolClient, type QueryResultRow } from 'pg';

/** A pool of PostgreSQL connections that opens the first one on demand. */
export class Database implements HealthCheck {
  readonly name = 'postgres';
  private readonly pool: Pool;

  constructor(connectionString: string, log: Log) {
    this.pool = new Pool({ connectionString, connectionTimeoutMillis: 2000 });
    // An idle connection that the server closes; the pool replaces it, but
    // without a listener the event would end the process.
    this.pool.on('error', (error) => log.warn(error, 'Database'));
  }

  async query<Row extends QueryResultRow>(
    sql: string,
    parameters: unknown[] = [],
  ): Promise<Row[]> {
    return (await this.pool.query<Row>(sql, parameters)).rows;
  }

  async transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      // Closes the connection, and PostgreSQL rolls back, which also works
      // where the connection itself is what failed.
      client.release(true);
      throw error;
    }
  }

  async check(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}
