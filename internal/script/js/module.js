const ncat = globalThis[Symbol.for("ncat")];
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
