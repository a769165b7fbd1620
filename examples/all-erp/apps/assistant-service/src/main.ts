import 'reflect-metadata';
import { listen, loadConfig, run } from '@all-erp/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
import { configFields } from './config';

run('assistant-service', async (logger) => {
  const config = loadConfig(configFields);
  const app = await NestFactory.create(AppModule.with(config), {
    logger,
    abortOnError: false,
  });
  await listen(app, config.PORT, logger);
});
