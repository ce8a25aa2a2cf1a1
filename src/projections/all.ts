import { MetricsProjection } from './metrics.ts';
import { UtilizationProjection } from './utilization.ts';

/** The projections of a pool, each as before the first event. Whoever folds, saves or compares projections takes them from here. */
export const createProjections = () => ({
  metrics: new MetricsProjection(),
  utilization: new UtilizationProjection(),
});
