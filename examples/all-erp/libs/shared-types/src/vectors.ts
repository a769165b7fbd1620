export interface VectorRecord {
  id: string;
  text: string;
  vector: number[];
}

export interface VectorMatch {
  id: string;
  text: string;
  score: number;
}
