#include "src/base/intrusive_list.h"

#include <doctest/doctest.h>

#include <deque>
#include <list>
#include <random>
#include <vector>

namespace {

struct Element {
  int number = 0;
  pgring::ListHook<Element> hook;
};
using List = pgring::IntrusiveList<Element, &Element::hook>;

}  // namespace

TEST_CASE("intrusive list: keeps its order against a model, with erasures anywhere") {
  std::mt19937 random{3};
  std::deque<Element> elements(50);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i].number = static_cast<int>(i);
  List list;
  std::list<int> model;
  for (int step = 0; step < 5000; ++step) {
    Element& element = elements[random() % elements.size()];
    if (element.hook.linked()) {
      list.erase(element);
      model.remove(element.number);
    } else if (random() % 2 == 0) {
      list.push_back(element);
      model.push_back(element.number);
    } else {
      list.push_front(element);
      model.push_front(element.number);
    }
    std::vector<int> seen;
    for (Element* at = list.front(); at != nullptr; at = List::next(*at))
      seen.push_back(at->number);
    REQUIRE(seen == std::vector<int>(model.begin(), model.end()));
    REQUIRE(list.size() == model.size());
    REQUIRE(list.empty() == model.empty());
    REQUIRE((list.back() == nullptr || list.back()->number == model.back()));
  }
  while (Element* const element = list.front()) list.erase(*element);
}
