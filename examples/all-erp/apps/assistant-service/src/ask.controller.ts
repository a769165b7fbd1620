import { readInput, text } from '@all-erp/common';
import type { Answer } from '@all-erp/shared-types';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { LanguageModel } from './language-model';

@Controller('ask')
export class AskController {
  constructor(private readonly model: LanguageModel) {}

  @Post()
  @HttpCode(200)
  ask(@Body() body: unknown): Promise<Answer> {
    const { question } = readInput({ question: text({ max: 4000 }) }, body);
    return this.model.ask(question);
  }
}
