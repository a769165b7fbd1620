import {
  integer,
  portField,
  url,
  withDefault,
  type Values,
} from '@all-erp/common';
import { databaseUrl } from '@all-erp/database';

export const configFields = {
  PORT: portField,
  DATABASE_URL: databaseUrl,
  REDIS_URL: url('redis', 'rediss'),
  SESSION_TTL_SECONDS: withDefault(integer({ min: 60 }), 8 * 60 * 60),
};

export type Config = Values<typeof configFields>;
