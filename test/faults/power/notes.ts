export type PowerNote =
  | { readonly did: 'try' | 'found' | 'acknowledge'; readonly stream: string; readonly ids: readonly string[] }
  | { readonly did: 'snapshot'; readonly revision: number };
