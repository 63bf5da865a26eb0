// The OpenAPI document says neither more nor less than the routes.
#include "tests/unit/api/api_fixture.hpp"

#include <set>

namespace runfold::collector::test {
namespace {

namespace json = boost::json;

using OpenApi = ApiTest;

/// Follows a "$ref" within the document.
const json::value& resolve(const json::value& document, const json::value& value) {
  if (const auto* object = value.if_object(); object != nullptr && object->contains("$ref")) {
    std::string pointer(object->at("$ref").as_string());
    EXPECT_TRUE(pointer.starts_with("#/")) << pointer;
    return document.at_pointer(pointer.substr(1));
  }
  return value;
}

/// Resolves every "$ref" below `value`; at_pointer throws for one that leads nowhere.
void follow_all(const json::value& document, const json::value& value) {
  if (const auto* object = value.if_object()) {
    resolve(document, value);
    for (const auto& member : *object) follow_all(document, member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) follow_all(document, item);
  }
}

std::set<std::string> names(const json::value& document, const json::value& operation, const char* in) {
  std::set<std::string> found;
  for (const auto& entry : operation.at("parameters").as_array()) {
    const auto& parameter = resolve(document, entry);
    if (parameter.at("in") == in) found.insert(std::string(parameter.at("name").as_string()));
  }
  return found;
}

TEST_F(OpenApi, EveryRouteWithItsParametersIsInTheDocumentAndNothingElse) {
  const json::value document = json::parse(kOpenApiDocument);
  EXPECT_TRUE(document.at("openapi").as_string().starts_with("3.1."));
  std::set<std::string> routed;
  for (const ApiRoute& route : api_routes()) {
    routed.insert(route.pattern);
    const auto* path = document.at("paths").as_object().if_contains(route.pattern);
    ASSERT_NE(path, nullptr) << route.pattern << " is not documented";
    ASSERT_EQ(route.method, "GET");
    ASSERT_EQ(path->as_object().size(), 1U);
    const json::value& operation = path->at("get");
    EXPECT_EQ(names(document, operation, "query"), std::set<std::string>(route.query.begin(), route.query.end())) << route.pattern;
    std::set<std::string> in_pattern;
    for (std::size_t at = route.pattern.find('{'); at != std::string::npos; at = route.pattern.find('{', at + 1)) {
      in_pattern.insert(route.pattern.substr(at + 1, route.pattern.find('}', at) - at - 1));
    }
    EXPECT_EQ(names(document, operation, "path"), in_pattern) << route.pattern;
  }
  for (const auto& path : document.at("paths").as_object()) {
    EXPECT_TRUE(routed.contains(path.key())) << path.key() << " is documented and not routed";
  }
}

TEST_F(OpenApi, EveryReferenceLeadsSomewhere) {
  const json::value document = json::parse(kOpenApiDocument);
  EXPECT_NO_THROW(follow_all(document, document));
}

TEST_F(OpenApi, TheDocumentIsServed) {
  const auto response = get("/openapi.json");
  EXPECT_EQ(response.fields.get("Content-Type"), "application/json");
  EXPECT_EQ(response.body, kOpenApiDocument);
}

}  // namespace
}  // namespace runfold::collector::test
