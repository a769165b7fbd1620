import { randomUUID } from 'node:crypto';
import type { User } from '@all-erp/shared-types';
import { type Database, isUniqueViolation } from '@all-erp/database';
import { ConflictException } from '@nestjs/common';
import { hashPassword, verifyPassword } from './password';

interface UserRow {
  id: string;
  email: string;
  password_hash: string;
  created_at: Date;
}

export class Users {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  async create(email: string, password: string): Promise<User> {
    try {
      const [row] = await this.database.query<UserRow>(
        `INSERT INTO users (id, email, password_hash) VALUES ($1, $2, $3)
         RETURNING *`,
        [randomUUID(), email.toLowerCase(), await hashPassword(password)],
      );
      return toUser(row as UserRow);
    } catch (error) {
      if (isUniqueViolation(error)) {
        throw new ConflictException('A user with this email exists');
      }
      throw error;
    }
  }

  async list(): Promise<User[]> {
    const rows = await this.database.query<UserRow>(
      'SELECT * FROM users ORDER BY created_at DESC LIMIT 100',
    );
    return rows.map(toUser);
  }

  async find(id: string): Promise<User | undefined> {
    const [row] = await this.database.query<UserRow>(
      'SELECT * FROM users WHERE id = $1',
      [id],
    );
    return row && toUser(row);
  }

  async authenticate(
    email: string,
    password: string,
  ): Promise<User | undefined> {
    const [row] = await this.database.query<UserRow>(
      'SELECT * FROM users WHERE email = $1',
      [email.toLowerCase()],
    );
    if (!row) {
      // Takes as long as a wrong password, and so does not tell which
      // addresses have an account.
      await hashPassword(password);
      return undefined;
    }
    return (await verifyPassword(password, row.password_hash))
      ? toUser(row)
      : undefined;
  }
}

function toUser({ id, email, created_at }: UserRow): User {
  return { id, email, createdAt: created_at.toISOString() };
}
