import { ErrorCode } from '@zilliz/milvus2-sdk-node';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { VectorStore } from './vector-store';

const success = { error_code: 'Success', reason: '' };

const milvus = vi.hoisted(() => ({
  connectPromise: Promise.resolve(),
  hasCollection: vi.fn(),
  createCollection: vi.fn(),
  createIndex: vi.fn(),
  loadCollectionSync: vi.fn(),
  checkHealth: vi.fn(),
  upsert: vi.fn(),
  closeConnection: vi.fn(),
}));
vi.mock('@zilliz/milvus2-sdk-node', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  MilvusClient: function MilvusClient() {
    return milvus;
  },
}));

describe('VectorStore', () => {
  let store: VectorStore;

  beforeEach(() => {
    vi.resetAllMocks();
    milvus.hasCollection.mockResolvedValue({ status: success, value: true });
    milvus.createCollection.mockResolvedValue(success);
    milvus.createIndex.mockResolvedValue(success);
    milvus.loadCollectionSync.mockResolvedValue(success);
    milvus.checkHealth.mockResolvedValue({ isHealthy: true, reasons: [] });
    store = new VectorStore({
      address: 'milvus:19530',
      collection: 'texts',
      dimension: 2,
    });
  });

  it('creates the collection only where there is none', async () => {
    await store.check();
    expect(milvus.createCollection).not.toHaveBeenCalled();

    milvus.hasCollection.mockResolvedValue({ status: success, value: false });
    const other = new VectorStore({
      address: 'milvus:19530',
      collection: 'texts',
      dimension: 2,
    });
    await other.check();
    expect(milvus.createCollection).toHaveBeenCalledOnce();
  });

  it('connects again after it could not', async () => {
    milvus.hasCollection.mockRejectedValueOnce(new Error('refused'));
    await expect(store.check()).rejects.toThrow('refused');
    await expect(store.check()).resolves.toBeUndefined();
    expect(milvus.closeConnection).toHaveBeenCalledOnce();
  });

  it('turns a failure in an answer into an error', async () => {
    milvus.upsert.mockResolvedValue({
      status: { error_code: ErrorCode.IllegalArgument, reason: 'dimension' },
    });
    await expect(
      store.upsert({ id: 'a', text: 'b', vector: [0, 1] }),
    ).rejects.toThrow('Milvus: dimension');
  });

  it('says why Milvus is not healthy, and prepares it anew afterwards', async () => {
    milvus.checkHealth.mockResolvedValueOnce({
      isHealthy: false,
      reasons: ['querynode down'],
    });
    await expect(store.check()).rejects.toThrow('querynode down');
    expect(milvus.closeConnection).toHaveBeenCalledOnce();
    await expect(store.check()).resolves.toBeUndefined();
    expect(milvus.hasCollection).toHaveBeenCalledTimes(2);
  });
});
