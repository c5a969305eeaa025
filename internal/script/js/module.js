const ncat = globalThis[Symbol.for("ncat")];
if (ncat === undefined) throw new Error('a test has ncat/test only, not ncat, and so have the files that it imports; what somebody says is a text or { type: "at", data: { qq: "1" } }');
export default ncat;
export const { on, onMatch, onMessage, onGroup, onPrivate, onNotice, onRequest, command, onCommand, arg, schedule,
  textIs, hasPrefix, hasSuffix, keyword, matches, inGroup, inPrivate, fromUser, mentionsMe, toMe, isReply, hasSegment,
  byAdmin, byGroupAdmin, byGroupOwner, notSelf, during, ofType, allOf, anyOf, not,
  text, at, atAll, face, quote, dice, rps, json, markdown, image, voice, video, file, node, nodeOf,
  bot, api, store, permissions, stop, plugin, config, errors,
  NcatError, OneBotError, NotSentError, UnknownOutcomeError, NoAnswerError, CancelledError, TooFastError, TooLargeError,
  LocalAddressError, ContentTypeError, NoAttachmentError, NoAccountError, BadAddressError, HandlerDeadlineError,
  LimitError, DeniedError, UnloadedError, ArgumentError,
  RefusedError, UnconfirmedError, UnsupportedError, BadParamsError, NoPacketError, MutedError, NotMemberError } = ncat;
