import { HealthController, provideHealthChecks } from '@all-erp/common';
import { type DynamicModule, Module } from '@nestjs/common';
import { AskController } from './ask.controller';
import type { Config } from './config';
import { LanguageModel } from './language-model';

@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      controllers: [AskController, HealthController],
      providers: [
        {
          provide: LanguageModel,
          useFactory: () => new LanguageModel(config),
        },
        provideHealthChecks(LanguageModel),
      ],
    };
  }
}
