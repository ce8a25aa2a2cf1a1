/**
 * Three tiers that lend and borrow within limits, one class in two of them that age differently, both policies, short queues: everything
 * happens often in random runs.
 */
export const SMALL_TIERS = [
  {
    name: 'a',
    priorities: ['critical', 'high'],
    nominal: '40%',
    lendingLimit: '20%',
    queue: { maxLength: 6, ageingMs: 10 },
  },
  {
    name: 'b',
    priorities: ['normal'],
    nominal: '35%',
    borrowingLimit: '30%',
    queue: { policy: 'strict', maxLength: 6 },
  },
  { name: 'c', priorities: ['low', 'high'], nominal: '25%', queue: { maxLength: 6 } },
];
