import type { HealthCheck, Log } from '@all-erp/common';
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type ConsumeMessage,
  type RecoveringChannelModel,
} from 'amqplib';

export interface Subscription {
  queue: string;
  /** Routing keys, for example `invoice.*`. */
  pattern: string;
  handle(event: unknown): Promise<void>;
}

export interface EventBusOptions {
  url: string;
  exchange: string;
  subscriptions?: Subscription[];
  log: Log;
}

/** Events over a durable topic exchange of RabbitMQ. */
export class EventBus implements HealthCheck {
  readonly name = 'rabbitmq';
  private connection?: RecoveringChannelModel;
  private channel?: ConfirmChannel;
  private readonly consumerTags: string[] = [];
  private readonly handling = new Set<Promise<void>>();

  constructor(private readonly options: EventBusOptions) {}

  /** Returns at once: the broker may come later, and go and come again. */
  async onModuleInit(): Promise<void> {
    const { url, log } = this.options;
    this.connection = await connect(url, {
      timeout: 5000,
      recovery: {
        waitForConnect: false,
        maxDelay: 5000,
        setup: (model: ChannelModel) => this.setUp(model),
      },
    });
    this.connection.on('connect', () => log.log('Connected', 'EventBus'));
    this.connection.on('error', (error) => log.warn(error, 'EventBus'));
    this.connection.on('disconnect', () => {
      this.channel = undefined;
    });
    this.connection.on('reconnect-scheduled', ({ delay, error }) =>
      log.warn(
        `Not connected, next try in ${delay} ms: ${error.message}`,
        'EventBus',
      ),
    );
  }

  /** Resolves when the broker has taken the event over. */
  async publish(routingKey: string, event: object): Promise<void> {
    const channel = this.requireChannel();
    await new Promise<void>((resolve, reject) => {
      channel.publish(
        this.options.exchange,
        routingKey,
        Buffer.from(JSON.stringify(event)),
        { contentType: 'application/json', persistent: true },
        (error: unknown) => (error ? reject(error as Error) : resolve()),
      );
    });
  }

  async check(): Promise<void> {
    await this.requireChannel().checkExchange(this.options.exchange);
  }

  /** Takes no further events, while what the handlers need is still open. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.allSettled(
      this.consumerTags.map((tag) => this.channel?.cancel(tag)),
    );
    await Promise.allSettled(this.handling);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connection?.close();
  }

  private requireChannel(): ConfirmChannel {
    if (!this.channel) throw new Error('not connected');
    return this.channel;
  }

  private async setUp(model: ChannelModel): Promise<void> {
    const { exchange, subscriptions = [], log } = this.options;
    const channel = await model.createConfirmChannel();
    // A channel that failed stays closed; with a new connection comes a new one.
    const reconnect = () => void model.close().catch(() => undefined);
    channel.on('error', (error: Error) => {
      log.warn(error, 'EventBus');
      reconnect();
    });
    await channel.assertExchange(exchange, 'topic', { durable: true });
    await channel.prefetch(10);
    this.consumerTags.length = 0;
    for (const subscription of subscriptions) {
      await this.subscribe(channel, subscription, reconnect);
    }
    this.channel = channel;
  }

  private async subscribe(
    channel: Channel,
    { queue, pattern, handle }: Subscription,
    onCancelled: () => void,
  ): Promise<void> {
    const failed = `${queue}.failed`;
    await channel.assertQueue(failed, { durable: true });
    await channel.assertQueue(queue, {
      durable: true,
      deadLetterExchange: '',
      deadLetterRoutingKey: failed,
    });
    await channel.bindQueue(queue, this.options.exchange, pattern);
    const { consumerTag } = await channel.consume(queue, (message) => {
      // Without a message RabbitMQ says that the queue is gone.
      if (!message) return onCancelled();
      const work = this.deliver(channel, message, handle).finally(() =>
        this.handling.delete(work),
      );
      this.handling.add(work);
    });
    this.consumerTags.push(consumerTag);
  }

  private async deliver(
    channel: Channel,
    message: ConsumeMessage,
    handle: Subscription['handle'],
  ): Promise<void> {
    try {
      await handle(JSON.parse(message.content.toString('utf8')));
      channel.ack(message);
    } catch (error) {
      this.options.log.error(error, 'EventBus');
      // A second try for what passes by itself; after that the event waits in
      // the queue of the failed ones, and does not go round for ever.
      channel.nack(message, false, !message.fields.redelivered);
    }
  }
}
