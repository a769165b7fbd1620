import { readInput, text } from '@all-erp/common';
import type { Session, User } from '@all-erp/shared-types';
import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Post,
  UnauthorizedException,
} from '@nestjs/common';
import { readBearerToken } from './bearer';
import { Sessions } from './sessions';
import { Users } from './users';

const credentialFields = { email: text(), password: text() };

@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly users: Users,
    private readonly sessions: Sessions,
  ) {}

  @Post()
  async create(@Body() body: unknown): Promise<Session> {
    const { email, password } = readInput(credentialFields, body);
    const user = await this.users.authenticate(email, password);
    if (!user) throw new UnauthorizedException('Wrong email or password');
    return this.sessions.create(user.id);
  }

  @Get('current')
  async current(
    @Headers('authorization') authorization?: string,
  ): Promise<User> {
    const userId = await this.sessions.findUserId(
      readBearerToken(authorization),
    );
    const user = userId && (await this.users.find(userId));
    if (!user) throw new UnauthorizedException('The session has ended');
    return user;
  }

  @Delete('current')
  @HttpCode(204)
  async remove(
    @Headers('authorization') authorization?: string,
  ): Promise<void> {
    await this.sessions.remove(readBearerToken(authorization));
  }
}
