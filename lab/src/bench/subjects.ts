/**
 * What is measured side by side. `program` runs it; `hasDatabase`: it has a PostgreSQL of its own.
 */
export type Subject = { key: SubjectKey; label: string; program: string; hasDatabase: boolean };
export type SubjectKey = 'echo' | 'textbook' | 'orderService' | 'wholeSystem';

export const subjects: readonly Subject[] = [
  {
    key: 'echo',
    label: 'bare Fastify, keeps nothing',
    program: 'serve-echo.ts',
    hasDatabase: false,
  },
  {
    key: 'orderService',
    label: 'Order Service',
    program: 'serve-order-service.ts',
    hasDatabase: true,
  },
  { key: 'textbook', label: 'textbook handler', program: 'serve-textbook.ts', hasDatabase: true },
  {
    key: 'wholeSystem',
    label: 'whole system (npm start)',
    program: 'serve-whole-system.ts',
    hasDatabase: true,
  },
];
