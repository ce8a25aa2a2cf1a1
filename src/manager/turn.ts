/** The one way to take turns, for who stands in front of the manager: a server's requests take theirs beside the readers of the log. */
export { Admission, readersTurn, Slice } from '../eventstore/turn.ts';
