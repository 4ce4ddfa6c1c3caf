/* cli/gvariant.c: values in GVariant's text, and what is refused of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gvariant.h"

static const struct {
	const char *text, *signature, *items; /* separated by | */
} good[] = {
	{"'x'", "s", "x"},
	{" \"it's\" ", "s", "it's"},
	{"'it\\'s \\\\ \\n\\t'", "s", "it's \\ \n\t"},
	{"'\\u00e4\\u20ac\\U0001f600'", "s", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"''", "s", ""},
	{"string 'a|b'", "s", "a|b"},
	{"true", "b", "true"},
	{"boolean false", "b", "false"},
	{"5", "i", "5"},
	{"-5", "i", "-5"},
	{"+5", "i", "5"},
	{"-0", "i", "0"},
	{"0x1e", "i", "30"},
	{"010", "i", "8"},
	{"-2147483648", "i", "-2147483648"},
	{"byte 255", "y", "255"},
	{"int16 -32768", "n", "-32768"},
	{"uint16 65535", "q", "65535"},
	{"uint32 4294967295", "u", "4294967295"},
	{"int64 -9223372036854775808", "x", "-9223372036854775808"},
	{"uint64 18446744073709551615", "t", "18446744073709551615"},
	{"@t 7", "t", "7"},
	{"1.5", "d", "1.5"},
	{"1e3", "d", "1000"},
	{"double 2", "d", "2"},
	{"['a', 'b c']", "as", "a|b c"},
	{"[ uint64 1 , 2,3 ]", "at", "1|2|3"},
	{"@as []", "as", ""},
	{"@ay [1, 0xff]", "ay", "1|255"},
	{"[true,false]", "ab", "true|false"},
};

static const char *const bad[] = {"", " ", "x", "'x", "\"x'", "'x' y", "'\\u00'", "'\\ud800'", "'\\u0000'", "'\\", "tru", "truely", "TRUE", "5x", "1 2", "0x", "-",
	"--5", "- 5", "+-5", "1.5.2", "1e", "1e999", "inf", "nan", "2147483648", "-2147483649", "byte 256", "byte -1", "uint64 -1", "uint64 18446744073709551616",
	"int64 9223372036854775808", "int16 32768", "uint32 1.5", "boolean 1", "string 5", "uint64 'x'", "uint64 true", "double 'x'", "double 0x1p3", "uint64", "@", "@a",
	"@z 1", "@as 'x'", "@t [1]", "uint64 [1]", "[]", "[", "['a'", "['a',]", "[,]", "['a' 'b']", "['a', 1]", "[1, uint64 2]", "[[1]]", "@aas []", "(1, 2)", "{'a': 1}",
	"<1>", "b'x'", "objectpath '/a'", "just 5", "nothing"};

START_TEST(takes)
{
	struct gvariant value;
	char signature[3] = "", items[256] = "";
	const char *wrong = gvariant_parse(good[_i].text, &value);

	ck_assert_msg(!wrong, "%s: %s", good[_i].text, wrong);
	signature[0] = value.list ? 'a' : value.type;
	signature[1] = value.list ? value.type : '\0';
	for (size_t i = 0; i < value.items.count; i++) {
		strcat(items, i ? "|" : "");
		strcat(items, value.items.items[i]);
	}
	ck_assert_str_eq(signature, good[_i].signature);
	ck_assert_str_eq(items, good[_i].items);
	strings_free(&value.items);
}
END_TEST

START_TEST(refuses)
{
	struct gvariant value;

	ck_assert_msg(gvariant_parse(bad[_i], &value) != NULL, "%s was taken", bad[_i]);
	strings_free(&value.items);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gvariant");
	TCase *tests = tcase_create("values");
	SRunner *runner = srunner_create(suite);

	tcase_add_loop_test(tests, takes, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(suite, tests);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
