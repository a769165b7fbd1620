import { matching, readInput, text } from '@all-erp/common';
import type { User } from '@all-erp/shared-types';
import {
  Body,
  Controller,
  Get,
  Headers,
  Post,
  UnauthorizedException,
} from '@nestjs/common';
import { readBearerToken } from './bearer';
import { Sessions } from './sessions';
import { Users } from './users';

const newUserFields = {
  email: matching(/^[^\s@]+@[^\s@]+$/, 'an email address'),
  password: text({ min: 8, max: 200 }),
};

@Controller('users')
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly sessions: Sessions,
  ) {}

  @Post()
  create(@Body() body: unknown): Promise<User> {
    const { email, password } = readInput(newUserFields, body);
    return this.users.create(email, password);
  }

  @Get()
  async list(
    @Headers('authorization') authorization?: string,
  ): Promise<User[]> {
    if (!(await this.sessions.findUserId(readBearerToken(authorization)))) {
      throw new UnauthorizedException('The session has ended');
    }
    return this.users.list();
  }
}
