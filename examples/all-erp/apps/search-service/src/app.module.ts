import { HealthController, provideHealthChecks } from '@all-erp/common';
import { VectorStore } from '@all-erp/vector-store';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from './config';
import { VECTOR_DIMENSION, VectorsController } from './vectors.controller';

@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      controllers: [HealthController, VectorsController],
      providers: [
        { provide: VECTOR_DIMENSION, useValue: config.VECTOR_DIMENSION },
        {
          provide: VectorStore,
          useFactory: () =>
            new VectorStore({
              address: config.MILVUS_ADDRESS,
              token: config.MILVUS_TOKEN,
              collection: config.VECTOR_COLLECTION,
              dimension: config.VECTOR_DIMENSION,
            }),
        },
        provideHealthChecks(VectorStore),
      ],
    };
  }
}
