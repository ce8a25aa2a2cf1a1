import { fromObservable, type ObservableActorLogic } from 'xstate';

/**
 * A machine names what its waiting states invoke and leaves the waiting itself to `machines/live`, which provides it. An
 * actor started without that fails at once instead of waiting for ever; XState's pure `transition` starts nothing.
 */
export const toBeProvided = <Input extends object | undefined>(name: string): ObservableActorLogic<unknown, Input> =>
  fromObservable<unknown, Input>(() => {
    throw new Error(`source ${name} is not provided: run this machine through machines/live`);
  });
