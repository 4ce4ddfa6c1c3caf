/*
 * vsnprintf for the sentry: %d %i %u %x %X %o %c %s %p %% with the flags - 0 # + space, a
 * width, a precision (both may be *) and hh h l ll z j t. No floating point. As in the C standard the result
 * is the length that the whole text has, and the buffer is terminated if size > 0.
 * Not built into host programs.
 */
#ifndef RF_HOST_BUILD
#include "ring0/lib.h"

struct output {
	char *to;
	size_t size, len;
};

struct field {
	bool left, zero, alternate, plus, space;
	int width, precision; /* precision -1: none given */
	int length;           /* bytes of the integer argument */
};

static inline void output_char(struct output *out, char c)
{
	if (out->len + 1 < out->size)
		out->to[out->len] = c;
	out->len++;
}

static void output_fill(struct output *out, char c, int n)
{
	for (; n > 0; n--)
		output_char(out, c);
}

static void output_text(struct output *out, const struct field *field, const char *text, size_t n)
{
	int pad = field->width - (int)n;

	if (!field->left)
		output_fill(out, ' ', pad);
	for (size_t i = 0; i < n; i++)
		output_char(out, text[i]);
	if (field->left)
		output_fill(out, ' ', pad);
}

static void output_number(struct output *out, const struct field *field, uint64_t value, unsigned base, bool upper,
	char sign)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24], prefix[3];
	int n = 0, zeros, prefix_len = 0, pad;

	if (sign)
		prefix[prefix_len++] = sign;
	if (field->alternate && base == 16 && value) {
		prefix[prefix_len++] = '0';
		prefix[prefix_len++] = upper ? 'X' : 'x';
	}
	for (uint64_t left = value; left; left /= base)
		text[n++] = digits[left % base];
	if (n == 0 && field->precision != 0)
		text[n++] = '0';
	zeros = field->precision > n ? field->precision - n : 0;
	if (field->alternate && base == 8 && zeros == 0)
		zeros = 1;
	pad = field->width - n - zeros - prefix_len;
	if (field->zero && !field->left && field->precision < 0 && pad > 0) {
		zeros += pad;
		pad = 0;
	}
	if (!field->left)
		output_fill(out, ' ', pad);
	for (int i = 0; i < prefix_len; i++)
		output_char(out, prefix[i]);
	output_fill(out, '0', zeros);
	while (n > 0)
		output_char(out, text[--n]);
	if (field->left)
		output_fill(out, ' ', pad);
}

/* Takes the field's width or precision: digits, or * for an argument. A va_list of the caller's by pointer. */
struct arguments {
	va_list list;
};

static const char *parse_number(const char *p, struct arguments *args, int *value)
{
	*value = 0;
	if (*p == '*') {
		*value = va_arg(args->list, int);
		return p + 1;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		*value = *value * 10 + (*p - '0');
	return p;
}

static const char *parse_field(const char *p, struct arguments *args, struct field *field)
{
	*field = (struct field){.precision = -1, .length = 4};
	for (;; p++) {
		if (*p == '-')
			field->left = true;
		else if (*p == '0')
			field->zero = true;
		else if (*p == '#')
			field->alternate = true;
		else if (*p == '+')
			field->plus = true;
		else if (*p == ' ')
			field->space = true;
		else
			break;
	}
	p = parse_number(p, args, &field->width);
	if (field->width < 0) {
		field->left = true;
		field->width = -field->width;
	}
	if (*p == '.')
		p = parse_number(p + 1, args, &field->precision);
	for (;; p++) {
		if (*p == 'h')
			field->length /= 2;
		else if (*p == 'l' || *p == 'z' || *p == 'j' || *p == 't')
			field->length = 8;
		else
			return p;
	}
}

static int64_t take_signed(struct arguments *args, int length)
{
	if (length == 8)
		return va_arg(args->list, int64_t);
	if (length == 2)
		return (int16_t)va_arg(args->list, int);
	if (length == 1)
		return (int8_t)va_arg(args->list, int);
	return va_arg(args->list, int);
}

static uint64_t take_unsigned(struct arguments *args, int length)
{
	if (length == 8)
		return va_arg(args->list, uint64_t);
	if (length == 2)
		return (uint16_t)va_arg(args->list, unsigned);
	if (length == 1)
		return (uint8_t)va_arg(args->list, unsigned);
	return va_arg(args->list, unsigned);
}

static void format_signed(struct output *out, const struct field *field, int64_t value)
{
	char sign = value < 0 ? '-' : field->plus ? '+' : field->space ? ' ' : '\0';

	output_number(out, field, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, false, sign);
}

static void format_string(struct output *out, const struct field *field, const char *text)
{
	if (!text)
		text = "(null)";
	output_text(out, field, text,
		field->precision >= 0 ? strnlen(text, (size_t)field->precision) : strlen(text));
}

static void format_one(struct output *out, struct field *field, char kind, struct arguments *args)
{
	char c;

	switch (kind) {
	case 'd':
	case 'i':
		format_signed(out, field, take_signed(args, field->length));
		break;
	case 'u':
		output_number(out, field, take_unsigned(args, field->length), 10, false, 0);
		break;
	case 'x':
	case 'X':
		output_number(out, field, take_unsigned(args, field->length), 16, kind == 'X', 0);
		break;
	case 'o':
		output_number(out, field, take_unsigned(args, field->length), 8, false, 0);
		break;
	case 'p':
		field->alternate = true;
		output_number(out, field, (uint64_t)va_arg(args->list, void *), 16, false, 0);
		break;
	case 'c':
		c = (char)va_arg(args->list, int);
		output_text(out, field, &c, 1);
		break;
	case 's':
		format_string(out, field, va_arg(args->list, const char *));
		break;
	case '%':
		output_char(out, '%');
		break;
	default:
		output_char(out, '%');
		output_char(out, kind);
	}
}

int vsnprintf(char *to, size_t size, const char *format, va_list list)
{
	struct output out = {.to = to, .size = size};
	struct arguments args;
	struct field field;

	va_copy(args.list, list);
	for (const char *p = format; *p; p++) {
		if (*p != '%') {
			output_char(&out, *p);
			continue;
		}
		p = parse_field(p + 1, &args, &field);
		if (!*p)
			break;
		format_one(&out, &field, *p, &args);
	}
	va_end(args.list);
	if (size > 0)
		to[out.len < size ? out.len : size - 1] = '\0';
	return (int)out.len;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(to, size, format, args);
	va_end(args);
	return len;
}
#endif
