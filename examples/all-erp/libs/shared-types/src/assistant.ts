export interface Answer {
  answer: string;
  model: string;
}
