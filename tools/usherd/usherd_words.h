/* usherd_words.h - what the daemon tells on standard output, and how it gives up
 *
 * Any thread. What people should know beyond that goes through complain().
 */
#ifndef USHER_TOOLS_USHERD_USHERD_WORDS_H
#define USHER_TOOLS_USHERD_USHERD_WORDS_H

/* say - a line on standard output, at once */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* give_up - a complaint, then the process ends with status 1, without closing anything */
__attribute__((format(printf, 1, 2))) _Noreturn void give_up(const char *format, ...);

#endif
