import { UnauthorizedException } from '@nestjs/common';

export function readBearerToken(authorization: string | undefined): string {
  const token = authorization?.match(/^Bearer ([\w-]+)$/i)?.[1];
  if (!token) throw new UnauthorizedException('A bearer token is required');
  return token;
}
