// What scripts have of ncatd. The protocol's own types are in onebot.d.ts.

declare module "ncat" {
  type Awaitable<T> = T | Promise<T>;
  /** A number of milliseconds, or a text such as "90s", "1d12h" or "30分钟". */
  export type Duration = number | string;
  /** A chat: a group, or a user; both for the temporary session of a group's member. */
  export interface Chat { group?: number; user?: number }
  /** What may be sent: texts, numbers, segments, media, and lists of these. */
  export type Content = string | number | boolean | null | undefined | Date | SegmentLike | Content[];
  /** A picture, voice message, video or file, from image() and its kin. */
  export interface Media { type: "image" | "record" | "video" | "file"; media: object }
  /** A URL, "base64://…", bytes, or the path of a file in the plugin's folder. */
  export type Source = string | Uint8Array | ArrayBuffer;

  // Events

  interface EventBase {
    /** The account that the event is of. */
    readonly bot: Bot;
    readonly chat: Chat | undefined;
    /** Waits for the next event of any kind that passes the filter; it reaches no handler. */
    waitFor(filter: Filter, options?: { within?: Duration }): Promise<EventBase & Record<string, any>>;
  }
  interface MessageBase {
    /** The plain text: all text segments joined. */
    readonly text: string;
    readonly isGroup: boolean;
    /** The account itself wrote it. */
    readonly fromSelf: boolean;
    /** The id of the message that this one quotes. */
    readonly replyTo: string | undefined;
    /** Fetched from the history, having been missed. */
    readonly backfilled?: boolean;
    /** Given to handlers a second and last time, after a crash. */
    readonly redelivered?: boolean;
    readonly group_id?: number;
    first<T extends keyof SegmentData>(type: T): SegmentOf<T> | undefined;
    all<T extends keyof SegmentData>(type: T): SegmentOf<T>[];
    /** Whether the message mentions a user, the account without one. */
    mentions(user?: number): boolean;
    /** Sends content into the chat of the message and resolves with the new message's id. */
    reply(...content: Content[]): Promise<number>;
    /** reply with the message quoted. */
    quote(...content: Content[]): Promise<number>;
    /** reply with the sender mentioned first. */
    mention(...content: Content[]): Promise<number>;
    /** Asks and resolves with the sender's next message. Rejects with NoAnswerError or CancelledError. */
    ask(question: Content, options?: AskOptions): Promise<MessageEvent>;
    /** Asks with a numbered list and resolves with the index of the choice. */
    choose(question: string, choices: string[], options?: AskOptions): Promise<number>;
    /** Asks for a yes or no. */
    confirm(question: string, options?: AskOptions): Promise<boolean>;
    recall(): Promise<void>;
    react(emoji: string | number, on?: boolean): Promise<void>;
  }
  interface RequestBase {
    approve(): Promise<void>;
    reject(reason?: string): Promise<void>;
  }
  export type MessageEvent = GroupMessage | PrivateMessage;
  export interface AskOptions {
    /** One minute without it. */
    within?: Duration;
    /** The words that end the conversation; 取消 and cancel without it. */
    cancelOn?: string[];
    /** Only what passes counts as an answer. */
    where?: Filter | Filter[];
    fromAnyone?: boolean;
    commandsGoOn?: boolean;
    /** How often choose and confirm ask again. */
    tries?: number;
  }

  // Handlers

  /** Return stop to keep an event from the handlers that come after. */
  export const stop: unique symbol;
  type Result = Awaitable<unknown>;
  export interface HandlerOptions {
    where?: Filter | Filter[];
    /** The higher the earlier; 0 without it. Commands have 100. */
    priority?: number;
    /** It comes after all others, and runs only if none of them did. */
    fallback?: boolean;
    /** In logs and errors. */
    name?: string;
  }
  type Handler<E> = (e: E) => Result;
  interface On<E> {
    (handler: Handler<E>, options?: HandlerOptions): void;
    (filter: Filter | Filter[], handler: Handler<E>, options?: HandlerOptions): void;
  }
  export function on<T extends keyof Events>(type: T, handler: Handler<Events[T]>, options?: HandlerOptions): void;
  export function on<T extends keyof Events>(type: T, filter: Filter | Filter[], handler: Handler<Events[T]>, options?: HandlerOptions): void;
  export const onMessage: On<MessageEvent>;
  export const onGroup: On<GroupMessage>;
  export const onPrivate: On<PrivateMessage>;
  export const onNotice: On<Events["notice"]>;
  export const onRequest: On<Events["request"]>;
  /** For messages whose text matches; the handler gets the groups of the match. */
  export function onMatch(pattern: RegExp | string, handler: (m: MessageEvent, groups: string[]) => Result, options?: HandlerOptions): void;

  // Commands

  interface ArgOptions {
    help?: string;
    optional?: boolean;
    /** Given as --name, or -x too with flag: "x", in place of by its place. */
    flag?: true | string;
  }
  type DefaultArg = ArgOptions & { default: string | number | boolean };
  type Many = ArgOptions & { many: true };
  export interface Arg<T> { readonly __type?: T }
  interface ArgOf<T> {
    (o: Many): Arg<T[]>;
    (o: DefaultArg): Arg<T>;
    (o: ArgOptions & { optional: true }): Arg<T | undefined>;
    (o: ArgOptions & { flag: true | string }): Arg<T | undefined>;
    (o?: ArgOptions): Arg<T>;
  }
  export const arg: {
    text: ArgOf<string>; int: ArgOf<number>; float: ArgOf<number>; bool: ArgOf<boolean>;
    /** In milliseconds. */
    duration: ArgOf<number>;
    time: ArgOf<Date>;
    /** A mention or a number. */
    user: ArgOf<number>;
    group: ArgOf<number>; message: ArgOf<number>;
    segment: ArgOf<Segment>; image: ArgOf<SegmentOf<"image">>; record: ArgOf<SegmentOf<"record">>; video: ArgOf<SegmentOf<"video">>;
    file: ArgOf<SegmentOf<"file">>; face: ArgOf<SegmentOf<"face">>; at: ArgOf<SegmentOf<"at">>;
    /** All that follows, as text. */
    rest: ArgOf<string>;
    /** All that follows, as segments. */
    content: ArgOf<Message>;
    choice<C extends string>(choices: readonly C[], o?: ArgOptions & { default?: C }): Arg<C>;
  };
  type Values<A> = { [K in keyof A]: A[K] extends Arg<infer T> ? T : never };
  export interface CommandOptions {
    where?: Filter | Filter[];
    /** One line for /help. */
    help?: string;
    alias?: string | string[];
    /** "bot.admin", "group.admin", "group.owner", or a role that was granted. */
    need?: string | string[];
    cooldown?: Duration;
    hidden?: boolean;
    /** Lets the message go on to the handlers after it. */
    passOn?: boolean;
  }
  export function command(name: string, handler: (m: MessageEvent) => Result, options?: CommandOptions): void;
  export function command<A extends Record<string, Arg<any>>>(name: string, args: A, handler: (m: MessageEvent, args: Values<A>) => Result, options?: CommandOptions): void;
  export const onCommand: typeof command;

  // Schedules

  export interface ScheduleOptions {
    /** A time zone such as "Asia/Shanghai". */
    in?: string;
    jitter?: Duration;
    catchUp?: boolean;
  }
  /** Runs as spec says: "0 8 * * *", "every 2h30m", "每天早上8点", "at 2026-01-02 15:04". */
  export function schedule(name: string, spec: string, run: (bot: Bot) => Result, options?: ScheduleOptions): void;

  // Filters, which run in Go before the script hears of an event

  export interface Filter {
    and(...others: Filter[]): Filter;
    or(...others: Filter[]): Filter;
    not(): Filter;
  }
  export function textIs(...texts: string[]): Filter;
  export function hasPrefix(...prefixes: string[]): Filter;
  export function hasSuffix(...suffixes: string[]): Filter;
  export function keyword(...words: string[]): Filter;
  export function matches(pattern: RegExp | string): Filter;
  export function inGroup(...groups: number[]): Filter;
  export function inPrivate(): Filter;
  export function fromUser(...users: number[]): Filter;
  export function mentionsMe(): Filter;
  export function toMe(): Filter;
  export function isReply(...messages: number[]): Filter;
  export function hasSegment(...types: (keyof SegmentData)[]): Filter;
  export function byAdmin(): Filter;
  export function byGroupAdmin(): Filter;
  export function byGroupOwner(): Filter;
  export function notSelf(): Filter;
  /** During a time of day: during("22:00", "06:00"). */
  export function during(from: string, to: string): Filter;
  export function ofType(...types: (keyof Events)[]): Filter;
  export function allOf(...filters: Filter[]): Filter;
  export function anyOf(...filters: Filter[]): Filter;
  export function not(filter: Filter): Filter;

  // Content

  export function text(s: string): SegmentOf<"text">;
  export function at(user: number): SegmentOf<"at">;
  export function atAll(): SegmentOf<"at">;
  export function face(id: number | string): SegmentOf<"face">;
  export function quote(m: number | MessageEvent): SegmentOf<"reply">;
  export function dice(): PlainSegment;
  export function rps(): PlainSegment;
  export function json(value: unknown): PlainSegment;
  export function markdown(content: string): PlainSegment;
  export function image(source: Source, o?: { summary?: string; sticker?: boolean }): Media;
  export function voice(source: Source): Media;
  export function video(source: Source, o?: { thumb?: Source }): Media;
  export function file(source: Source, o?: { name?: string }): Media;
  /** A node of a forward: an existing message. */
  export function node(id: number): PlainSegment;
  /** A node of a forward: a message made up. */
  export function nodeOf(user: number, nickname: string, ...content: Content[]): PlainSegment;

  // The bot

  export interface Bot {
    /** The account's QQ number; undefined for the bot of no account in particular. */
    readonly self: number | undefined;
    readonly api: Api;
    readonly accounts: Bot[];
    send(chat: Chat, ...content: Content[]): Promise<number>;
    sendGroup(group: number, ...content: Content[]): Promise<number>;
    sendPrivate(user: number, ...content: Content[]): Promise<number>;
    forward(chat: Chat, ...messages: number[]): Promise<number>;
    sendForward(chat: Chat, ...nodes: SegmentLike[]): Promise<number>;
    recall(message: number): Promise<void>;
    react(message: number, emoji: string | number, on?: boolean): Promise<void>;
    kick(group: number, user: number, block?: boolean): Promise<void>;
    ban(group: number, user: number, duration: Duration): Promise<void>;
    isAdmin(user: number): boolean;
    waitFor(filter: Filter, options?: { within?: Duration }): Promise<EventBase & Record<string, any>>;
    /** Takes what a segment holds into memory, at most 8 MiB. */
    download(segment: Segment, options?: { maxSize?: number; types?: string[] }): Promise<{ name: string; type: string; size: number; sha256: string; bytes: Uint8Array }>;
  }
  /** The bot: in a handler that of its event's account, else that of the only account. */
  export const bot: Bot;
  /** bot.api. */
  export const api: Api;

  // The store

  export interface Tx {
    get<T = any>(key: string): T | undefined;
    put(key: string, value: unknown, options?: { ttl?: Duration }): void;
    delete(key: string): void;
    scan<T = any>(prefix?: string): { key: string; value: T }[];
  }
  /** The plugin's own store, for what JSON can hold: 1 MiB under a key. What was written is on disk when the promise resolves. */
  export const store: {
    get<T = any>(key: string): Promise<T | undefined>;
    put(key: string, value: unknown, options?: { ttl?: Duration }): Promise<void>;
    delete(...keys: string[]): Promise<void>;
    scan<T = any>(prefix?: string): Promise<{ key: string; value: T }[]>;
    /** Changes one key in a transaction. f must not wait for anything. */
    update<T = any>(key: string, f: (value: T | undefined) => T): Promise<T>;
    /** All that f does is written, or nothing if it throws. f must not wait for anything. */
    transaction<R>(f: (tx: Tx) => R): Promise<R>;
  };

  // Permissions

  export interface Scope { group?: number; user?: number }
  export const permissions: {
    has(role: string, scope?: Scope): boolean;
    rules(): (Scope & { kind: string; target: string })[];
    grant(role: string, scope?: Scope): Promise<void>;
    revoke(role: string, scope?: Scope): Promise<void>;
    allowCommand(name: string, scope?: Scope): Promise<void>;
    denyCommand(name: string, scope?: Scope): Promise<void>;
    grantCommand(name: string, scope?: Scope): Promise<void>;
    revokeCommand(name: string, scope?: Scope): Promise<void>;
    allowPlugin(id: string, scope?: Scope): Promise<void>;
    denyPlugin(id: string, scope?: Scope): Promise<void>;
    grantPlugin(id: string, scope?: Scope): Promise<void>;
    revokePlugin(id: string, scope?: Scope): Promise<void>;
  };

  // The plugin

  export const plugin: { readonly id: string; readonly version: string; readonly description: string };
  /** The plugin's section of ncatd.yaml, with the defaults of plugin.yaml. */
  export const config: Record<string, any>;

  // Errors, of the same classes as in Go

  export class NcatError extends Error {
    /** It may have been done all the same; repeating it may do it twice. */
    readonly maybeDone?: boolean;
  }
  /** An answer that says no. */
  export class OneBotError extends NcatError {
    readonly action: string;
    readonly retcode: number;
    readonly wording?: string;
    readonly verdict?: number;
  }
  export class RefusedError extends OneBotError {}
  export class UnconfirmedError extends OneBotError {}
  export class UnsupportedError extends OneBotError {}
  export class BadParamsError extends OneBotError {}
  export class NoPacketError extends OneBotError {}
  export class MutedError extends OneBotError {}
  export class NotMemberError extends OneBotError {}
  /** The call never left; repeating it is safe. */
  export class NotSentError extends NcatError {}
  /** The link was lost before the answer came. */
  export class UnknownOutcomeError extends NcatError {}
  export class NoAnswerError extends NcatError {}
  export class CancelledError extends NcatError {}
  export class TooFastError extends NcatError {}
  export class TooLargeError extends NcatError {}
  export class LocalAddressError extends NcatError {}
  export class ContentTypeError extends NcatError {}
  export class NoAttachmentError extends NcatError {}
  export class NoAccountError extends NcatError {}
  export class BadAddressError extends NcatError {}
  export class HandlerDeadlineError extends NcatError {}
  /** A limit of the plugin: memory, cpu, queue, calls, timers, size. */
  export class LimitError extends NcatError { readonly limit: string }
  /** What the manifest does not name or the operator did not grant. */
  export class DeniedError extends NcatError {}
  /** The version of the plugin that asked has ended. */
  export class UnloadedError extends NcatError {}
  export class ArgumentError extends NcatError {}
  export const errors: Record<string, typeof NcatError>;
}

// A text of the plugin's folder, imported.
declare module "*.md" { const text: string; export default text; }
declare module "*.txt" { const text: string; export default text; }

// What scripts have of what browsers have.

interface Console { log(...a: unknown[]): void; info(...a: unknown[]): void; debug(...a: unknown[]): void; trace(...a: unknown[]): void; warn(...a: unknown[]): void; error(...a: unknown[]): void }
declare var console: Console;
declare function setTimeout(f: (...args: any[]) => unknown, ms?: number, ...args: any[]): number;
declare function setInterval(f: (...args: any[]) => unknown, ms?: number, ...args: any[]): number;
declare function clearTimeout(id: number | undefined): void;
declare function clearInterval(id: number | undefined): void;
declare function queueMicrotask(f: () => void): void;
declare function atob(s: string): string;
declare function btoa(s: string): string;
declare var crypto: { randomUUID(): string; getRandomValues<T extends ArrayBufferView>(a: T): T };
declare class TextEncoder { readonly encoding: string; encode(s?: string): Uint8Array }
declare class TextDecoder { constructor(label?: string, o?: { fatal?: boolean }); readonly encoding: string; decode(b?: ArrayBuffer | ArrayBufferView): string }
declare class URLSearchParams {
  constructor(init?: string | Record<string, string> | Iterable<[string, string]>);
  readonly size: number;
  get(k: string): string | null; getAll(k: string): string[]; has(k: string): boolean;
  set(k: string, v: unknown): void; append(k: string, v: unknown): void; delete(k: string): void; sort(): void;
  forEach(f: (v: string, k: string) => void): void;
  keys(): IterableIterator<string>; values(): IterableIterator<string>; entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}
declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  readonly href: string; readonly origin: string; readonly protocol: string; readonly username: string; readonly password: string; readonly host: string;
  hostname: string; port: string; pathname: string; search: string; hash: string;
  readonly searchParams: URLSearchParams;
  toString(): string; toJSON(): string;
}
declare class Headers {
  constructor(init?: Record<string, string> | Iterable<[string, string]>);
  get(k: string): string | null; has(k: string): boolean; set(k: string, v: string): void; append(k: string, v: string): void; delete(k: string): void;
  forEach(f: (v: string, k: string) => void): void;
  entries(): IterableIterator<[string, string]>; [Symbol.iterator](): IterableIterator<[string, string]>;
}
declare class AbortSignal { readonly aborted: boolean; readonly reason: unknown; static timeout(ms: number): AbortSignal; throwIfAborted(): void; addEventListener(type: "abort", f: () => void): void; removeEventListener(type: "abort", f: () => void): void }
declare class AbortController { readonly signal: AbortSignal; abort(reason?: unknown): void }
declare class Response {
  readonly status: number; readonly statusText: string; readonly ok: boolean; readonly url: string; readonly headers: Headers;
  text(): Promise<string>; json<T = any>(): Promise<T>; bytes(): Promise<Uint8Array>; arrayBuffer(): Promise<ArrayBuffer>;
}
/** Asks a host that plugin.yaml names and the operator granted; at most 8 MiB. */
declare function fetch(url: string | URL, init?: { method?: string; headers?: Record<string, string> | Headers; body?: string | ArrayBufferView | ArrayBuffer | URLSearchParams | null; redirect?: "follow" | "manual" | "error"; signal?: AbortSignal }): Promise<Response>;
