'use client';

import type { Answer } from '@all-erp/shared-types';
import { type FormEvent, useState } from 'react';

export function AskForm() {
  const [reply, setReply] = useState('');
  const [waiting, setWaiting] = useState(false);

  async function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const question = new FormData(event.currentTarget).get('question');
    setWaiting(true);
    try {
      const response = await fetch('/api/ask', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ question }),
      });
      const body = (await response.json()) as Answer | { message: string };
      setReply('answer' in body ? body.answer : body.message);
    } catch {
      setReply('The server cannot be reached');
    } finally {
      setWaiting(false);
    }
  }

  return (
    <form onSubmit={ask}>
      <label>
        Question <input name="question" required maxLength={4000} />
      </label>{' '}
      <button disabled={waiting}>Ask</button>
      <p aria-live="polite">{waiting ? 'Waiting for the answer…' : reply}</p>
    </form>
  );
}
