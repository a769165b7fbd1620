import { integer, matching, readInput, text } from '@all-erp/common';
import type { Invoice, InvoiceDetails } from '@all-erp/shared-types';
import {
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
} from '@nestjs/common';
import { Invoices } from './invoices';
import { OutboxRelay } from './outbox-relay';

const newInvoiceFields = {
  customer: text({ max: 200 }),
  // The largest value of PostgreSQL's integer.
  amountCents: integer({ min: 1, max: 2 ** 31 - 1 }),
  currency: matching(/^[A-Z]{3}$/, 'a currency code such as EUR'),
};

@Controller('invoices')
export class InvoicesController {
  constructor(
    private readonly invoices: Invoices,
    private readonly relay: OutboxRelay,
  ) {}

  @Post()
  async create(@Body() body: unknown): Promise<Invoice> {
    const invoice = await this.invoices.create(
      readInput(newInvoiceFields, body),
    );
    this.relay.trigger();
    return invoice;
  }

  @Get()
  list(): Promise<Invoice[]> {
    return this.invoices.list();
  }

  @Get(':id')
  async find(
    @Param('id', new ParseUUIDPipe()) id: string,
  ): Promise<InvoiceDetails> {
    const invoice = await this.invoices.find(id);
    if (!invoice) throw new NotFoundException('No such invoice');
    return invoice;
  }
}
