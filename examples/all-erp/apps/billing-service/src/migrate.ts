import { runMigrations } from '@all-erp/database';
import { migrations } from './migrations';

runMigrations('billing-service', migrations);
