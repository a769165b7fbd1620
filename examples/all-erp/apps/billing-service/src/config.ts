import {
  portField,
  text,
  url,
  withDefault,
  type Values,
} from '@all-erp/common';
import { databaseUrl } from '@all-erp/database';

export const configFields = {
  PORT: portField,
  DATABASE_URL: databaseUrl,
  RABBITMQ_URL: url('amqp', 'amqps'),
  EVENT_EXCHANGE: withDefault(text({ max: 100 }), 'all-erp.events'),
};

export type Config = Values<typeof configFields>;
