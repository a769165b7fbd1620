import { runMigrations } from '@all-erp/database';
import { migrations } from './migrations';

runMigrations('auth-service', migrations);
