import {
  HealthController,
  type Log,
  provideHealthChecks,
} from '@all-erp/common';
import { Database } from '@all-erp/database';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from './config';
import { Sessions } from './sessions';
import { SessionsController } from './sessions.controller';
import { Users } from './users';
import { UsersController } from './users.controller';

@Module({})
export class AppModule {
  static with(config: Config, log: Log): DynamicModule {
    return {
      module: AppModule,
      controllers: [HealthController, SessionsController, UsersController],
      providers: [
        {
          provide: Database,
          useFactory: () => new Database(config.DATABASE_URL, log),
        },
        {
          provide: Sessions,
          useFactory: () =>
            new Sessions({
              url: config.REDIS_URL,
              ttlSeconds: config.SESSION_TTL_SECONDS,
              log,
            }),
        },
        {
          provide: Users,
          inject: [Database],
          useFactory: (database: Database) => new Users(database),
        },
        provideHealthChecks(Database, Sessions),
      ],
    };
  }
}
