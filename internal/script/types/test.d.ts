// What a plugin's *.test.ts has besides, under ncatd plugin test.

declare module "ncat/test" {
  import { Content, Duration } from "ncat";
  /** One test: the bot is started anew for it, with an empty store and a clock of its own. */
  export function test(name: string, run: () => void): void;
  export interface Person {
    says(...content: Content[]): number;
    quotes(message: number, ...content: Content[]): number;
    mentions(...content: Content[]): number;
    recalls(message: number): void;
    pokes(user?: number): void;
    reacts(message: number, emoji: string): void;
    joins(): void;
    leaves(): void;
    asks(comment: string): void;
  }
  export interface Group { from(user: number): Person; admin(user: number): Person; owner(user: number): Person }
  export function friend(user: number): Person;
  export function group(id: number): Group;
  /** The messages that the bot sent since the last look, exactly these in this order. */
  export function want(...messages: string[]): void;
  /** One message that holds all the parts. */
  export function wantLike(...parts: string[]): void;
  export function wantNothing(): void;
  /** The texts of the messages that the bot sent since the last look. */
  export function sent(): string[];
  /** A call of an action with these params among its own. */
  export function wantCall(action: string, params?: Record<string, unknown>): void;
  export function wantNoCall(...actions: string[]): void;
  /** How NapCat answers an action from now on. */
  export function on(action: string, answer: { data?: unknown; retcode?: number; message?: string; notSent?: boolean; silence?: boolean }): void;
  /** Lets an event happen, given as it comes on the wire. */
  export function event(e: Record<string, unknown>): void;
  /** Lets time pass, at once. */
  export function pass(d: Duration): void;
  /** Lets time pass until the clock shows "15:04". */
  export function passUntil(clock: string): void;
  /** Stops the bot and starts it again with what its store remembers. */
  export function restart(): void;
  /** The errors of handlers since the last look. */
  export function errors(): string[];
  export function equal(got: unknown, want: unknown): void;
}
