import { createHash, randomBytes } from 'node:crypto';
import type { HealthCheck, Log } from '@all-erp/common';
import type { Session } from '@all-erp/shared-types';
import { createClient } from 'redis';

export interface SessionsOptions {
  url: string;
  ttlSeconds: number;
  log: Log;
}

/** Sessions in Redis, which forgets them when their time is over. */
export class Sessions implements HealthCheck {
  readonly name = 'redis';
  private readonly client;

  constructor(private readonly options: SessionsOptions) {
    this.client = createClient({
      url: options.url,
      // Fail at once while there is no connection, instead of piling up
      // requests that nobody waits for any more.
      disableOfflineQueue: true,
      socket: {
        connectTimeout: 2000,
        reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 5000),
      },
    });
    this.client.on('error', (error: Error) =>
      options.log.warn(error, 'Sessions'),
    );
  }

  /** Returns at once: the client goes on trying in the background. */
  onModuleInit(): void {
    this.client.connect().catch((error: unknown) => {
      this.options.log.error(error, 'Sessions');
    });
  }

  async create(userId: string): Promise<Session> {
    const { ttlSeconds } = this.options;
    const token = randomBytes(32).toString('base64url');
    await this.client.set(sessionKey(token), userId, {
      expiration: { type: 'EX', value: ttlSeconds },
    });
    return {
      token,
      expiresAt: new Date(Date.now() + ttlSeconds * 1000).toISOString(),
    };
  }

  async findUserId(token: string): Promise<string | undefined> {
    return (await this.client.get(sessionKey(token))) ?? undefined;
  }

  async remove(token: string): Promise<void> {
    await this.client.del(sessionKey(token));
  }

  async check(): Promise<void> {
    await this.client.ping();
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.client.isReady) await this.client.close();
    else this.client.destroy();
  }
}

/** Who can read the keys of Redis still cannot take over a session. */
function sessionKey(token: string): string {
  return `session:${createHash('sha256').update(token).digest('hex')}`;
}
