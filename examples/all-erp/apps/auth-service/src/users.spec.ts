import { ConflictException } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { hashPassword } from './password';
import { Users } from './users';

const query = vi.fn();
const users = new Users({ query });

async function row(password: string) {
  return {
    id: 'u1',
    email: 'ada@example.org',
    password_hash: await hashPassword(password),
    created_at: new Date('2026-01-02T03:04:05Z'),
  };
}

describe('Users', () => {
  beforeEach(() => query.mockReset());

  it('keeps a hash instead of the password, and gives neither out', async () => {
    query.mockResolvedValue([await row('long enough')]);
    expect(await users.create('Ada@Example.org', 'long enough')).toEqual({
      id: 'u1',
      email: 'ada@example.org',
      createdAt: '2026-01-02T03:04:05.000Z',
    });
    expect(query).toHaveBeenCalledWith(expect.any(String), [
      expect.any(String),
      'ada@example.org',
      expect.stringMatching(/^scrypt\$/),
    ]);
  });

  it('answers 409 for an email that is taken', async () => {
    query.mockRejectedValueOnce(
      Object.assign(new Error('duplicate key'), { code: '23505' }),
    );
    await expect(
      users.create('ada@example.org', 'long enough'),
    ).rejects.toBeInstanceOf(ConflictException);
  });

  it('authenticates by email and password', async () => {
    query.mockResolvedValue([await row('long enough')]);
    expect(
      await users.authenticate('ADA@example.org', 'long enough'),
    ).toMatchObject({ id: 'u1' });
    expect(
      await users.authenticate('ada@example.org', 'wrong'),
    ).toBeUndefined();
    query.mockResolvedValue([]);
    expect(
      await users.authenticate('bob@example.org', 'long enough'),
    ).toBeUndefined();
  });
});
