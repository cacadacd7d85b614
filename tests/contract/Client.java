import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;

/**
 * A JDK's own HTTP client as it is: it offers HTTP/2 with its requests in clear text. Arguments:
 * the gateway's URL, a key, a model. Prints one line for each answer.
 */
class Client {
    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], key = arguments[1], model = arguments[2];
        HttpClient client = HttpClient.newHttpClient();
        String chat = "{\"model\":\"" + model + "\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
        // A body beyond one read of a socket, as conversations have.
        String padded = chat.replace("Hello", "Hello " + "again ".repeat(20_000));
        for (String body : List.of(chat + "}", padded + "}", chat + "}")) {
            HttpResponse<String> answer =
                client.send(post(url, key, body), BodyHandlers.ofString());
            System.out.println("whole " + answer.statusCode() + " " + answer.version()
                + " " + answer.body().contains("\"choices\""));
        }
        HttpResponse<java.util.stream.Stream<String>> streamed =
            client.send(post(url, key, chat + ",\"stream\":true}"), BodyHandlers.ofLines());
        List<String> lines = streamed.body().filter(line -> !line.isEmpty()).toList();
        System.out.println("streamed " + streamed.statusCode() + " " + lines.get(lines.size() - 1)
            + " " + (lines.size() > 3));
        HttpRequest get = HttpRequest.newBuilder(URI.create(url + "/v1/models"))
            .header("authorization", "Bearer " + key).build();
        HttpResponse<String> models = client.send(get, BodyHandlers.ofString());
        System.out.println("models " + models.statusCode() + " " + models.body().contains(model));
        List<Integer> atOnce = java.util.stream.IntStream.range(0, 8)
            .mapToObj(n -> client.sendAsync(post(url, key, chat + "}"), BodyHandlers.ofString()))
            .toList().stream().map(answer -> answer.join().statusCode()).distinct().toList();
        System.out.println("at once " + atOnce);
    }

    private static HttpRequest post(String url, String key, String body) {
        return HttpRequest.newBuilder(URI.create(url + "/v1/chat/completions"))
            .header("authorization", "Bearer " + key)
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
    }
}
