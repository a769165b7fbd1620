import type { HealthCheck } from '@all-erp/common';
import type { VectorMatch, VectorRecord } from '@all-erp/shared-types';
import {
  DataType,
  ErrorCode,
  MilvusClient,
  type ResStatus,
} from '@zilliz/milvus2-sdk-node';

export interface VectorStoreOptions {
  address: string;
  token?: string;
  collection: string;
  dimension: number;
}

/** One collection of texts with their vectors, compared by cosine. */
export class VectorStore implements HealthCheck {
  readonly name = 'milvus';
  private connection?: Promise<MilvusClient>;

  constructor(private readonly options: VectorStoreOptions) {}

  async upsert(record: VectorRecord): Promise<void> {
    const client = await this.connect();
    const { status } = await client.upsert({
      collection_name: this.options.collection,
      data: [{ ...record }],
    });
    assertSuccess(status);
  }

  async get(id: string): Promise<VectorRecord | undefined> {
    const client = await this.connect();
    const { status, data } = await client.get({
      collection_name: this.options.collection,
      ids: [id],
      output_fields: ['id', 'text', 'vector'],
    });
    assertSuccess(status);
    return data[0] as VectorRecord | undefined;
  }

  async search(vector: number[], limit: number): Promise<VectorMatch[]> {
    const client = await this.connect();
    const { status, results } = await client.search({
      collection_name: this.options.collection,
      data: vector,
      limit,
      output_fields: ['id', 'text'],
    });
    assertSuccess(status);
    return results.map(({ id, text, score }) => ({
      id,
      text: text as string,
      score,
    }));
  }

  async check(): Promise<void> {
    const client = await this.connect();
    try {
      const { isHealthy, reasons } = await client.checkHealth();
      if (!isHealthy) throw new Error(reasons.join(', ') || 'not healthy');
    } catch (error) {
      // Milvus may come back without the collection, or without having loaded
      // it: the next connection looks after that.
      this.connection = undefined;
      await client.closeConnection();
      throw error;
    }
  }

  async onApplicationShutdown(): Promise<void> {
    const client = await this.connection?.catch(() => undefined);
    await client?.closeConnection();
  }

  /**
   * The client remembers a failed connection and never tries again, so a new
   * one is made for the next call.
   */
  private connect(): Promise<MilvusClient> {
    this.connection ??= this.open().catch((error: unknown) => {
      this.connection = undefined;
      throw error;
    });
    return this.connection;
  }

  private async open(): Promise<MilvusClient> {
    const { address, token } = this.options;
    const client = new MilvusClient({
      address,
      token,
      timeout: 5000,
      logLevel: 'error',
    });
    try {
      await client.connectPromise;
      await this.prepareCollection(client);
      return client;
    } catch (error) {
      await client.closeConnection();
      throw error;
    }
  }

  private async prepareCollection(client: MilvusClient): Promise<void> {
    const { collection, dimension } = this.options;
    const exists = await client.hasCollection({ collection_name: collection });
    assertSuccess(exists.status);
    if (!exists.value) {
      assertSuccess(
        await client.createCollection({
          collection_name: collection,
          // Else a search does not see what was written just before it. Set
          // here, because the client drops this value from a single search.
          consistency_level: 'Strong',
          fields: [
            {
              name: 'id',
              data_type: DataType.VarChar,
              is_primary_key: true,
              max_length: 100,
            },
            { name: 'text', data_type: DataType.VarChar, max_length: 4000 },
            {
              name: 'vector',
              data_type: DataType.FloatVector,
              dim: dimension,
            },
          ],
        }),
      );
      assertSuccess(
        await client.createIndex({
          collection_name: collection,
          field_name: 'vector',
          index_type: 'HNSW',
          metric_type: 'COSINE',
          params: { M: 16, efConstruction: 200 },
        }),
      );
    }
    assertSuccess(
      await client.loadCollectionSync({ collection_name: collection }),
    );
  }
}

/** Milvus reports most failures in its answer, and not as an error. */
function assertSuccess(status: ResStatus): void {
  if (status.error_code !== ErrorCode.SUCCESS) {
    throw new Error(`Milvus: ${status.reason || status.error_code}`);
  }
}
